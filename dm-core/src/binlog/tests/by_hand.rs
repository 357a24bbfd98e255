//! Events that no recorded file has, made by hand after the servers' documentation.
