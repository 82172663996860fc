// Draws the panels of a dashboard with Grafana's own components. window.DASHBOARD holds the dashboard and its data.
import { createTheme, FieldType, getDisplayProcessor, getFieldDisplayName, toDataFrame, dateTime } from '@grafana/data';
import { BarGauge, BigValue, BigValueColorMode, BigValueGraphMode, PanelChrome, ThemeContext, TimeSeries } from '@grafana/ui';
import React from 'react';
import { createRoot } from 'react-dom/client';
import { MemoryRouter } from 'react-router-dom';

const { title, panels, from, to } = window.DASHBOARD;
const COLUMN = 66, ROW = 36, GAP = 8, HEADING = 40;
const theme = createTheme({ colors: { mode: 'dark' } });
const palette = theme.visualization.palette;

function displayed(field, config) {
  field.config = { ...config, ...field.config };
  field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
  return field;
}

function frames(panel) {
  const { custom, ...defaults } = panel.fieldConfig.defaults;
  let colour = 0;
  return panel.data.flatMap((series) => series).map((series) => {
    const frame = toDataFrame({
      fields: [
        { name: 'Time', type: FieldType.time, values: series.times, config: {} },
        { name: series.name, type: FieldType.number, values: series.values, config: {} },
      ],
    });
    const value = frame.fields[1];
    value.config = {
      ...defaults,
      displayName: series.name,
      custom: {
        drawStyle: 'line', lineWidth: 1, showPoints: 'auto', pointSize: 3, ...custom,
        fillOpacity: custom?.fillOpacity ?? 0,
        stacking: { mode: custom?.stacking?.mode ?? 'none', group: 'A' },
      },
      color: { mode: 'fixed', fixedColor: palette[colour++ % palette.length] },
    };
    value.state = { seriesIndex: colour - 1, displayName: series.name };
    return { ...frame, fields: [frame.fields[0], displayed(value, {})] };
  });
}

function Graph({ panel, width, height }) {
  const data = frames(panel);
  if (!data.length) return <Nothing text="No data" />;
  return (
    <TimeSeries
      frames={data} width={width} height={height} timeZone="utc"
      timeRange={{ from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } }}
      structureRev={1} options={{}} replaceVariables={(text) => text}
      legend={panel.options.legend}
    />
  );
}

function last(panel) {
  const values = panel.data.flat().map((series) => ({ name: series.name, value: series.values.filter((v) => v !== null).at(-1) }));
  return values.filter((each) => each.value !== undefined);
}

function valueOf(panel, value, extra = {}) {
  const { custom, ...defaults } = panel.fieldConfig.defaults;
  const field = { name: 'value', type: FieldType.number, values: [value], config: { ...defaults, ...extra } };
  return { field: displayed(field, {}), shown: getDisplayProcessor({ field, theme, timeZone: 'utc' })(value) };
}

function Number({ panel, width, height }) {
  const [first] = last(panel);
  if (!first) return <Nothing text="No data" />;
  const { shown } = valueOf(panel, first.value);
  return (
    <BigValue
      value={shown} width={width} height={height} theme={theme}
      colorMode={BigValueColorMode.Value} graphMode={BigValueGraphMode.None}
    />
  );
}

function Bars({ panel, width, height }) {
  const values = last(panel);
  if (!values.length) return <Nothing text={panel.fieldConfig.defaults.noValue ?? 'No data'} />;
  const max = Math.max(...values.map((each) => each.value));
  const each = Math.min(34, height / values.length);
  return values.map(({ name, value }) => {
    const { field, shown } = valueOf(panel, value, { min: 0, max, color: { mode: 'fixed', fixedColor: 'blue' } });
    return (
      <BarGauge
        key={name} value={{ ...shown, title: name }} field={field.config} display={field.display} theme={theme}
        width={width} height={each - 6} orientation="horizontal" displayMode="basic" valueDisplayMode="text" itemSpacing={6}
      />
    );
  });
}

// Grafana's own table needs a scroll bar that cannot be bundled.
function Cells({ panel, width }) {
  if (!panel.rows.length) return <Nothing text={panel.fieldConfig.defaults.noValue ?? 'No data'} />;
  const units = Object.fromEntries(panel.fieldConfig.overrides.map(({ matcher, properties }) => [matcher.options, properties]));
  const shown = (name, value) => {
    if (value === undefined || value === null) return '';
    const unit = units[name]?.find(({ id }) => id === 'unit')?.value;
    const field = { name, type: FieldType.number, values: [value], config: { unit } };
    const { prefix = '', text, suffix = '' } = getDisplayProcessor({ field, theme, timeZone: 'utc' })(value);
    return `${prefix}${text}${suffix}`;
  };
  const cell = { textAlign: 'left', padding: '5px 10px', borderBottom: `1px solid ${theme.colors.border.weak}` };
  return (
    <table style={{ width, borderCollapse: 'collapse' }}>
      <thead><tr>{panel.columns.map((name) => <th key={name} style={{ ...cell, fontWeight: 500 }}>{name}</th>)}</tr></thead>
      <tbody>
        {panel.rows.map((row, number) => (
          <tr key={number}>
            {panel.columns.map((name) => (
              <td key={name} style={cell}>{typeof row[name] === 'string' ? row[name] : shown(name, row[name])}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Nothing({ text }) {
  return <div style={{ textAlign: 'center', paddingTop: 20, color: theme.colors.text.secondary }}>{text}</div>;
}

const DRAWN = { timeseries: Graph, stat: Number, bargauge: Bars, table: Cells };

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const box = { position: 'absolute', left: x * COLUMN, top: y * ROW + HEADING };
  if (panel.type === 'row') {
    return <div style={{ ...box, color: theme.colors.text.primary, fontSize: 15, fontWeight: 500, paddingTop: 8 }}>⌄ {panel.title}</div>;
  }
  const Drawn = DRAWN[panel.type];
  return (
    <div style={box}>
      <PanelChrome title={panel.title} description={panel.description} width={w * COLUMN - GAP} height={h * ROW - GAP}>
        {(width, height) => <Drawn panel={panel} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

const bottom = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h));
createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <MemoryRouter>
      <div id="dashboard" style={{ position: 'relative', width: 24 * COLUMN + GAP, height: bottom * ROW + HEADING, padding: GAP }}>
        <div style={{ fontSize: 18, color: theme.colors.text.primary }}>{title} <small style={{ color: theme.colors.text.secondary }}>(a preview drawn with Grafana's components)</small></div>
        {panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
      </div>
    </MemoryRouter>
  </ThemeContext.Provider>
);
