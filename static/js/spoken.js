// The word that is being said, drawn over the text with the CSS Custom Highlight API: the page's elements stay as they
// are, so nothing is laid out again, and screen readers hear nothing of it. Browsers without it tint the stretch alone.
const drawn = globalThis.CSS?.highlights && new Highlight();
if (drawn) CSS.highlights.set("word", drawn);
let shown = { words: [] }; // {stretch, words, word}: of the stretch being said

/** When each word of a stretch begins, and where its letters stand; none where the times of words are not known. */
function wordsOf(stretch) {
  let to = 0;
  return (stretch.element.dataset.words?.split(" ") ?? []).map((mark) => {
    const [start, length] = mark.split(":").map(Number);
    to += length;
    return { start: stretch.start + start / 100, from: to - length, to };
  });
}

/** Draws the word of this stretch that was begun last; nothing without a stretch. */
export function tintWord(stretch, now) {
  if (!drawn) return;
  if (stretch !== shown.stretch) shown = { stretch, words: stretch ? wordsOf(stretch) : [] };
  const word = shown.words.findLast((one) => one.start <= now);
  if (word === shown.word) return;
  shown.word = word;
  drawn.clear();
  if (word) drawn.add(rangeOf(stretch.element.firstChild, word));
}

function rangeOf(text, { from, to }) {
  const range = new Range();
  range.setStart(text, from + /^\s*/.exec(text.data.slice(from, to))[0].length);
  range.setEnd(text, to);
  return range;
}

/** When the word under the pointer begins, else the stretch. */
export function momentAt(stretch, { clientX, clientY }) {
  const place = document.caretPositionFromPoint?.(clientX, clientY);
  if (!place || place.offsetNode !== stretch.element.firstChild) return stretch.start;
  return wordsOf(stretch).find((one) => place.offset < one.to)?.start ?? stretch.start;
}
