"""How often the answers of :mod:`asc_experiments.statistics` are wrong, by simulation: ``make calibrate``.

Students of recipes whose truth is known answer TAU22's test fold as it is (places, devices, segments that several
devices recorded at once) and a small one of 35 places, thousands of times; what is claimed of them is counted.
"""
