// Opens the page of a kit in headless Chromium and prints what it says: npm run check -- KIT [PICTURE.png]
// Exit code 0 if every class is the golden one, 1 if not, 2 without a kit.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { argv, exit } from "node:process";

import { reason, withPage } from "./chromium.mjs";
import { kitFiles } from "./serve.mjs";

const [kit, picture] = argv.slice(2);
if (kit === undefined || !existsSync(join(kit, "kit.json"))) {
  console.error("usage: npm run check -- KIT [PICTURE.png], where KIT is a folder that keraport edge has written");
  exit(2);
}

async function look(page) {
  const root = page.locator("html[data-outcome]");
  await root.waitFor();
  console.log(await page.locator("#status").textContent());
  if (picture !== undefined) await page.screenshot({ path: picture, fullPage: true });
  return root.getAttribute("data-outcome");
}

try {
  exit((await withPage(kitFiles(kit), look)) === "same" ? 0 : 1);
} catch (error) {
  console.error(reason(error));
  exit(1);
}
