"""What CDMI and HTTP look like on the wire. Pure functions of text and bytes: no request, no database.

Sources: SNIA CDMI 1.0.2 and 1.1.1, RFC 9110 (HTTP). docs/decisions/011-cloud.md has what was chosen where they
leave it open.
"""
