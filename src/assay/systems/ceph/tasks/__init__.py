"""Tasks of the system `ceph`."""

TASKS = {"ceph-cvm": "cvm:CVM", "ceph-landmarks": "landmarks:LANDMARKS"}
