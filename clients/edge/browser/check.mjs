// Opens the page of a kit in headless Chromium and prints what it says: npm run check -- KIT [PICTURE.png]
// Exit code 0 if every class is the golden one, 1 if not, 2 without a kit.
import { argv, exit } from "node:process";

import { reason, withPage } from "./chromium.mjs";
import { kitFiles } from "./kit.mjs";

const [kit, picture] = argv.slice(2);
const files = kitFiles(kit, "npm run check -- KIT [PICTURE.png]");

async function look(page) {
  const root = page.locator("html[data-outcome]");
  await root.waitFor();
  console.log(await page.locator("#status").textContent());
  if (picture !== undefined) await page.screenshot({ path: picture, fullPage: true });
  return root.getAttribute("data-outcome");
}

try {
  exit((await withPage(files, look)) === "same" ? 0 : 1);
} catch (error) {
  console.error(reason(error));
  exit(1);
}
