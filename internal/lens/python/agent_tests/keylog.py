import ssl, sys
c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
print(c.keylog_filename)
class D(ssl.SSLContext):
    pass
print(D(ssl.PROTOCOL_TLS_CLIENT).keylog_filename)
print(ssl.create_default_context().keylog_filename)
