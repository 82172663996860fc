"""What could be changed before the next attempt.

Some are not ``implemented`` yet: rows that name them state what happens instead (``Fallback``).
"""

from dispatcher.core.retry_table.rule import Remedy

FORCE_FINE = Remedy(name="force_fine", implemented=True)
#: one call at a time to one number, so that bulkfax itself does not make it busy
SERIALISE_NUMBER = Remedy(name="serialise_number", implemented=True)
REFRESH_TOKEN = Remedy(name="refresh_token", implemented=True)

RERENDER = Remedy(name="rerender")
CONVERT = Remedy(name="convert")
FIX_TYPE = Remedy(name="fix_type")
#: refuse such a document when the batch is created
PREFLIGHT = Remedy(name="preflight")
PROBE_URL = Remedy(name="probe_url")
UPLOAD_INSTEAD = Remedy(name="upload_instead")
RESUME_PAGES = Remedy(name="resume_pages")
#: put the number on the do-not-fax list; ``core/dead_numbers.py``
SUPPRESS_NUMBER = Remedy(name="suppress_number", implemented=True)
#: keep calls away from a number for 30 days
QUARANTINE_NUMBER = Remedy(name="quarantine_number")
OTHER_SENDER = Remedy(name="other_sender")
SLOW_PREFIX = Remedy(name="slow_prefix")
#: stop sending while many sends fail on the provider's side; counted as ``core/limits/holds.py`` says
PROVIDER_BREAKER = Remedy(name="provider_breaker", implemented=True)
#: count faxes for it too that fail after they were accepted
BREAKER_BY_FAXES = Remedy(name="breaker_by_faxes")
