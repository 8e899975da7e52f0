import asyncio, gc, sys
async def fail(n):
    await asyncio.sleep(0)
    raise ValueError('task %d' % n)
async def main():
    t = asyncio.ensure_future(fail(1))
    await asyncio.sleep(0.01)
    del t
    gc.collect()
    try:
        await fail(2)
    except ValueError as e:
        print('got', e)
    print(await asyncio.gather(fail(3), fail(4), return_exceptions=True))
asyncio.run(main())
class C:
    def __del__(self):
        raise KeyError('in del')
C()
import logging
logging.basicConfig(format='%(levelname)s %(name)s %(message)s')
try:
    [][1]
except IndexError:
    logging.exception('logged')
logging.getLogger('x').error('none')
