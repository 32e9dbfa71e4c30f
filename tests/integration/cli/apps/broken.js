throw new RangeError('no such shelf')
