// Usage: node render.mjs MODULES DATA PICTURES: draws each dashboard of the folder DATA to a picture.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [modules, data, pictures] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(join(modules, 'package.json'));
const { chromium } = require('playwright-core');
const esbuild = require('esbuild');
const here = dirname(fileURLToPath(import.meta.url));
const bundle = join(data, 'bundle.js');
await esbuild.build({
  entryPoints: [join(here, 'preview.jsx')],
  bundle: true,
  outfile: bundle,
  nodePaths: [join(modules, 'node_modules')],
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.svg': 'dataurl', '.woff2': 'dataurl', '.woff': 'dataurl', '.ttf': 'dataurl', '.png': 'dataurl' },
  logLevel: 'error',
});

const chrome = execFileSync('sh', ['-c', 'command -v chromium || command -v chromium-browser || command -v google-chrome'])
  .toString().trim();
const browser = await chromium.launch({ executablePath: chrome, args: ['--no-sandbox', '--force-color-profile=srgb'] });
mkdirSync(pictures, { recursive: true });
for (const name of readdirSync(data).filter((file) => file.endsWith('.json'))) {
  const page = await browser.newPage({ viewport: { width: 1608, height: 1000 } });
  page.on('pageerror', (error) => console.error(name, error.message));
  const boot = 'window.grafanaBootData = { settings: { featureToggles: {} }, user: {}, navTree: [] };';
  const html = join(data, `${basename(name, '.json')}.html`);
  const style = 'button { background: none; border: 0; color: inherit; font: inherit } body { margin: 0; background: #111217; font: 14px Inter, DejaVu Sans, sans-serif; color: #ccccdc }';
  writeFileSync(html, `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="bundle.css"><style>${style}</style><div id="root"></div>
    <script>${boot} window.DASHBOARD = ${readFileSync(join(data, name), 'utf8')};</script>
    <script src="bundle.js"></script>`);
  await page.goto(`file://${html}`);
  await page.waitForTimeout(2500);
  const picture = join(pictures, `${basename(name, '.json')}.png`);
  await (await page.$('#dashboard')).screenshot({ path: picture });
  console.log(`${picture} drawn`);
  await page.close();
}
await browser.close();
