// Copies the icons the pages use from Lucide (ISC licence, named in each file) beside the templates: `npm run icons`.
// They are committed, because the server that draws them into pages has no Node.
import { copyFileSync, readdirSync } from "node:fs";

const target = new URL("../../../templates/icons/", import.meta.url);
for (const name of [...readdirSync(target), ...process.argv.slice(2).map((icon) => `${icon}.svg`)])
  copyFileSync(new URL(`./node_modules/lucide-static/icons/${name}`, import.meta.url), new URL(name, target));
