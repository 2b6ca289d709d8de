"""Data of the system `ceph`."""

SYSTEMS = {"ceph": "aariz:CEPH"}
