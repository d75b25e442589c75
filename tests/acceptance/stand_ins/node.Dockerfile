# For node:24-trixie-slim. Node.js and npm are those of the tests' Python package.
FROM stand-in/debian
COPY bin/node /usr/local/bin/
COPY lib/node_modules/ /usr/local/lib/node_modules/
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
CMD ["node"]
