"""Writes python-csv.json: random tables as Python's csv module writes them, and as it reads them back."""
import csv
import io
import json
import random
from pathlib import Path

random.seed(20)
PIECES = ['a', 'bc', 'é', '東', ' ', '"', '""', ',', '\n', '\r\n', '']
cases = []
while len(cases) < 200:
    table = [[''.join(random.choices(PIECES, k=random.randint(0, 4))) for _ in range(random.randint(1, 4))]
             for _ in range(random.randint(1, 4))]
    # A row of one empty cell is as good as a blank line, which the reader leaves out.
    table = [row for row in table if row != ['']]
    out = io.StringIO()
    quoting = random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    csv.writer(out, quoting=quoting, lineterminator=random.choice(['\n', '\r\n'])).writerows(table)
    text = out.getvalue()
    rows = list(csv.reader(io.StringIO(text, newline='')))
    cases.append({'text': text, 'rows': rows})
Path(__file__).with_suffix('.json').write_text(json.dumps(cases, ensure_ascii=False, indent=0))
