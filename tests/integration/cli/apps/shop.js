import { Celery } from 'lovage'

/** Its broker is nowhere: whoever uses it has to name another. */
export const app = new Celery('shop', { broker: 'redis://127.0.0.1:1/0', backend: 'redis://127.0.0.1:1/0' })

app.task('shop.multiply', (x, y) => x * y)
app.task('shop.refuse', () => {
  throw new TypeError('out of stock')
})
