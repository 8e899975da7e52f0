import sys; sys.site_user = __file__.rpartition('/')[2]; print('user site ran')
