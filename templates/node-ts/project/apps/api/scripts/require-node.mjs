// Plain JavaScript that old versions can parse: without it, Node < 22.18 fails on the
// first .ts file with a stack trace that does not say what to do.
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `This project needs Node.js 22.18 or newer, and this is ${process.versions.node}: see https://nodejs.org/en/download`,
  );
  process.exit(1);
}
