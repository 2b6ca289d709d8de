"""System `ceph`: landmarks and cervical vertebral maturation (CVM) on lateral cephalograms."""
