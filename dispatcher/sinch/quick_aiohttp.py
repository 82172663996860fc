"""Imports aiohttp without loading the certificates of the system.

At import, aiohttp creates two TLS contexts and loads all certificates for each, which takes a tenth of the processor
time of a worker's start. This project does not use these contexts: every connection has the context of ``pool.py``.
Here they are created without certificates, so they trust no server.
"""

import os
import ssl
import sys

_NAMES = ssl.get_default_verify_paths().openssl_cafile_env, ssl.get_default_verify_paths().openssl_capath_env

if "aiohttp" in sys.modules:
    import aiohttp
else:
    _environment = {name: os.environ.get(name) for name in _NAMES}
    os.environ.update(dict.fromkeys(_NAMES, os.devnull))
    try:
        import aiohttp
    finally:
        for _name, _value in _environment.items():
            if _value is None:
                del os.environ[_name]
            else:
                os.environ[_name] = _value

__all__ = ["aiohttp"]
