import { FakeMl } from '../ml/fake-ml.ts';

/** Words that mean the same stand in one line. */
const MEANINGS = [
  ['car', 'cars', 'automobile', 'vehicle'],
  ['refund', 'money', 'reimbursement'],
  ['soup', 'meal', 'lunch'],
];

/** A model of the tests' own, for texts of a few words. Its vectors are as wide as it is told. */
export class FakeEncoder extends FakeMl {
  version = '1';
  width = MEANINGS.length + 1;
  /** Texts with this in them are refused. */
  refuses: string | undefined;
  /** On requests with this in them it fails, gives numbers that cannot be stored, or ends and is started again. */
  stumbles: { readonly on: string; readonly by: 'failing' | 'exceeding' | 'dying' } | undefined;

  override answer: FakeMl['answer'] = (response, body) => {
    const texts = body.instances as string[];
    response.setHeader('content-type', 'application/json');
    if (texts.some((text) => this.refuses && text.includes(this.refuses))) {
      response.statusCode = 422;
      return void response.end(JSON.stringify({ code: 'invalid_request', detail: 'Not this one' }));
    }
    const { on, by } = this.stumbles ?? { on: undefined };
    const stumbles = on !== undefined && texts.some((text) => text.includes(on));
    if (stumbles && by === 'failing') return void response.writeHead(500).end();
    if (stumbles && by === 'dying') return this.#die();
    const predictions = texts.map((text) => ({
      embedding: stumbles ? Array(this.width).fill(1e39) : this.#vectorOf(text),
    }));
    response.end(JSON.stringify({ predictions, model: { name: 'fake', version: this.version } }));
  };

  /** Long enough for whoever asked to find that nobody is there. */
  #die(): void {
    void this.kill().then(() => setTimeout(() => void this.start(), 300));
  }

  #vectorOf(text: string): number[] {
    const words = text.toLowerCase().split(/\W+/);
    const counts = MEANINGS.map((alike) => words.filter((word) => alike.includes(word)).length);
    return Array.from({ length: this.width }, (_, place) => counts[place] ?? 0.1);
  }
}
