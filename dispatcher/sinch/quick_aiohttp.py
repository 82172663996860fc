"""aiohttp, without the certificates that it reads when it is imported.

It makes two TLS contexts then, and reads all certificates of the system for each: a tenth of the processor time of a
worker's start. They are not used here, where every connection has a context of our own (``pool.py``); so they trust
nobody.
"""

import os
import ssl
import sys

_NAMES = ssl.get_default_verify_paths().openssl_cafile_env, ssl.get_default_verify_paths().openssl_capath_env

if "aiohttp" in sys.modules:
    import aiohttp
else:
    _before = {name: os.environ.get(name) for name in _NAMES}
    os.environ.update(dict.fromkeys(_NAMES, os.devnull))
    try:
        import aiohttp
    finally:
        for _name, _value in _before.items():
            if _value is None:
                del os.environ[_name]
            else:
                os.environ[_name] = _value

__all__ = ["aiohttp"]
