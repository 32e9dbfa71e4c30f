"""Prints what process-report.test.ts expects of birdstrikes.csv: `python3 birdstrikes.py <file>`."""
import collections
import csv
import statistics
import sys

groups = collections.defaultdict(list)
with open(sys.argv[1], newline='', encoding='utf-8') as file:
    for row in csv.DictReader(file):
        groups[row['Phase of flight']].append(float(row['Cost Total $']))
        groups['All rows'].append(float(row['Cost Total $']))
for label, values in sorted(groups.items(), key=lambda item: -len(item[1])):
    p95 = statistics.quantiles(values, n=100, method='inclusive')[94]
    print(label, len(values), sum(values), statistics.mean(values), min(values), max(values), p95)
