import { z } from 'zod';
import { PageQuery, page } from './pagination.ts';
import { filledText } from './text.ts';

// No path, no line breaks, and nothing that turns the direction of writing, which shows `gpj.exe` as `exe.jpg`.
const UNFIT = String.raw`/\\\u0000-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069`;
const PLAIN = new RegExp(String.raw`^(?!\.{1,2}$)[^${UNFIT}]*$`);

/** What a file is called, which is never where it is: names with more in them than a name are refused. */
export const FileName = filledText(200)
  .normalize('NFC')
  .regex(PLAIN, 'Must be a name without a path, line breaks, and marks of direction');

export const StoredFile = z
  .object({
    id: z.uuid(),
    name: z.string(),
    type: z.string().describe('As it was declared, and as its bytes have it'),
    size: z.int().describe('In bytes'),
    sha256: z
      .string()
      .describe('Of its bytes, in hexadecimal; the ETag of its content is made from it'),
    uploadedBy: z.string().nullable().describe('The user; of an API key, who was shown its secret'),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'StoredFile' });
export type StoredFile = z.infer<typeof StoredFile>;

export const FilePage = page(StoredFile).meta({ id: 'FilePage' });
export type FilePage = z.infer<typeof FilePage>;

export const FileQuery = PageQuery;
export type FileQuery = z.infer<typeof FileQuery>;

export const NewFileQuery = z.object({ name: FileName });
export type NewFileQuery = z.infer<typeof NewFileQuery>;

/** An address at which whoever has it may read the file for a while, without a session or a key. */
export const FileLink = z
  .object({ url: z.string(), expiresAt: z.iso.datetime() })
  .meta({ id: 'FileLink' });
export type FileLink = z.infer<typeof FileLink>;
