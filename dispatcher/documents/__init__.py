"""Looks at PDFs. All of it runs in child processes, because a PDF can be built to harm its reader."""
