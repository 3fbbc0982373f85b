// Mounts the island into the place the server's page leaves for it.
import { createRoot } from "react-dom/client";
import { Credentials, forget } from "./credentials";
import { readSettings } from "./settings";
import { TusTransport } from "./tus";
import { UploadIsland } from "./UploadIsland";

const place = document.getElementById("upload-island");
const settings = readSettings();

if (place && settings) {
  const transport = new TusTransport(settings.endpoint, new Credentials(settings.token, settings.owner));
  const quiet = place.dataset.quiet !== undefined;
  createRoot(place).render(<UploadIsland settings={settings} transport={transport} quiet={quiet} />);
  place.hidden = false;
  for (const form of document.forms) if (form.getAttribute("action") === settings.sign_out) form.addEventListener("submit", forget);
}
