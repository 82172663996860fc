"""Decides which column of a list has which role: number, country, area code, reference, opting out, consent.

``vocabulary`` has the words of headings, ``headings`` reads one heading, ``roles`` decides about all headings of a
list, and ``columns`` turns rows of values into rows with roles. ``permission`` reads the values of columns about opting
out and consent, ``google`` the numbers that Google Contacts writes with a label.
"""
