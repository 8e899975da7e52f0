import sys
print(sys.site_user, sys.modules['sitecustomize'].__file__ is not None)
