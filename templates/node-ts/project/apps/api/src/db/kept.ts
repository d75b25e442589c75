/** Asks once, however many want to know: an answer, or that there is none, is kept for a while. */
export function keptFor<Value>(
  milliseconds: number,
  ask: () => Promise<Value>,
): () => Promise<Value> {
  let answer: Promise<Value> | undefined;
  let until = 0;
  return () => {
    if (!answer || performance.now() > until) {
      answer = ask();
      until = performance.now() + milliseconds;
    }
    return answer;
  };
}
