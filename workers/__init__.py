"""Workers: claim a job, run it on Ray, write down what came out. ``python -m workers`` starts one."""
