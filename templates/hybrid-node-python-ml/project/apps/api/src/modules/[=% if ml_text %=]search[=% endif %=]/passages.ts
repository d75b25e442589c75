/** What the model's task takes at most: see `MAX_TOKENS` and `Instance` in services/ml/src/ml/task.py. */
const MOST_WORDS = 200;
const MOST_CHARACTERS = 1_500;

/** Words as the task counts them, of which what stands between two spaces may have several. */
const WORD = /[\p{L}\p{N}]+/gu;
const STEP = new RegExp(`\\S{1,${MOST_CHARACTERS / 10}}\\s*`, 'gu');

/** A document in pieces that the model can take, one after the other; those without a word are left out. */
export function passagesOf({ title, text }: { title: string; text: string }): string[] {
  const found: string[] = [];
  let passage = '';
  let words = 0;
  for (const [step] of `${title}\n\n${text}`.matchAll(STEP)) {
    const more = countWords(step);
    if (words + more > MOST_WORDS || passage.length + step.length > MOST_CHARACTERS) {
      if (words > 0) found.push(passage.trim());
      [passage, words] = ['', 0];
    }
    passage += step;
    words += more;
  }
  if (words > 0) found.push(passage.trim());
  return found;
}

function countWords(text: string): number {
  return text.match(WORD)?.length ?? 0;
}
