// Serves the page of a kit until Ctrl-C: npm start -- KIT [PORT]
import { argv, exit } from "node:process";

import { kitFiles } from "./kit.mjs";
import { serve } from "./serve.mjs";

const [kit, port = "0"] = argv.slice(2);
const files = kitFiles(kit, "npm start -- KIT [PORT]");
if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
  console.error(`${port} is no port: give a number up to 65535`);
  exit(2);
}
try {
  const { url } = await serve(files, Number(port));
  console.log(`${url} shows the golden vectors of ${kit}; Ctrl-C ends it`);
} catch (error) {
  console.error(error.code === undefined ? error.message : `cannot listen on port ${port} (${error.code}): give another`);
  exit(2);
}
