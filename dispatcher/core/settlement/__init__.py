"""What an answer, a callback, a look-up or a read-back means for a job: the new record and its side effects.

Pure: a record and what was learned go in, a ``Transition`` comes out, or None if nothing changes. The service applies
it by compare-and-set on the record that it was decided from, and decides again if another record is stored by then.
"""
