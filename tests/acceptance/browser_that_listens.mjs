// What a page of the front end does, in a browser that is signed in: runs the JavaScript of a page of the docs, and
// prints what its functions are called with. `node --experimental-eventsource … http://localhost:3000 cookies.txt page.md`
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';

const [api, cookies, page] = process.argv.slice(2);
const cookie = readFileSync(cookies, 'utf8')
  .split('\n')
  .map((line) => line.replace(/^#HttpOnly_/, '').split('\t'))
  .filter(([, , , , , name, value]) => name && value)
  .map(([, , , , , name, value]) => `${name}=${value}`)
  .join('; ');

// Node's EventSource has no cookies; what a browser would add is added on the way.
const browser = createServer((asked, answer) => {
  const headers = { ...asked.headers, cookie };
  asked.pipe(
    request(api + asked.url, { method: asked.method, headers }, (given) => {
      answer.writeHead(given.statusCode, given.headers);
      given.pipe(answer);
    }),
  );
});
browser.listen(0, '127.0.0.1');
await once(browser, 'listening');

/** A browser's addresses are those of the page. */
class Source extends EventSource {
  constructor(path, options) {
    super(new URL(path, `http://127.0.0.1:${browser.address().port}`), options);
  }
}

const [, script] = /```js\n(.*?)```/s.exec(readFileSync(page, 'utf8'));
new Function('EventSource', 'reload', 'update', script)(
  Source,
  () => console.log('reload'),
  (message) => console.log('update', JSON.stringify(message)),
);
