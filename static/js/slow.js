// The operators' page of the work under way, read again every ten seconds while somebody looks at it. What has the
// focus or is being marked stays as it is: nobody loses a link that they are about to follow.
const EVERY = 10_000;

async function lookAgain() {
  const shown = document.getElementById("slow");
  if (document.hidden || shown.contains(document.activeElement) || getSelection().type === "Range") return;
  const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
  if (!answer) return; // the server is away; the page says as of when it is
  if (answer.redirected || !answer.ok) return location.reload(); // signed out, or no rights any more
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  shown.replaceWith(page.getElementById("slow"));
}

setInterval(lookAgain, EVERY);
