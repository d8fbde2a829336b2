"""The WSGI cloud: it loads storage modules and keeps people's data in them, over CDMI and HTTP."""
