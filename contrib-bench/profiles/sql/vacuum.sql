VACUUM bulk;
