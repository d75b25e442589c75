import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '../config.ts';
import type { Prometheus } from './prometheus.ts';

/** A port of their own, which the proxy in front of the application does not know. */
export async function listenForScrapes(
  metrics: Prometheus,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    metrics.scrape().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.listen(port, host);
  await once(server, 'listening').catch((error: Error) => {
    throw new ConfigError([`METRICS_PORT: ${error.message}`]);
  });
  // The application ends when it wants to, whoever is reading its metrics.
  server.unref();
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/metrics`,
    close: () => close(server),
  };
}

function close(server: Server): void {
  server.close();
  server.closeAllConnections();
}
