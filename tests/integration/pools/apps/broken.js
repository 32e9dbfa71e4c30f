throw new TypeError('not to be imported')
