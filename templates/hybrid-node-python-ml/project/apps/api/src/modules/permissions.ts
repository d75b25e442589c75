const admins = ['owner', 'admin'] as const;
const members = [...admins, 'member'] as const;
const everyone = [...members, 'viewer'] as const;

export type Role = (typeof everyone)[number];

/** Which roles may do what with the resources of the modules: one line for each resource. */
export const permissions = {
  project: { read: everyone, create: members, update: members, delete: admins },
  apiKey: { read: admins, create: admins, rotate: admins, revoke: admins },
  billing: { read: everyone, manage: admins },
  liveEvent: { read: everyone },
  file: { read: everyone, create: members, delete: admins },
  webhook: { read: admins, create: admins, update: admins, send: admins, delete: admins },
  prediction: { create: members, read: everyone },
  job: { create: members, read: everyone, cancel: members, cancelOfOthers: admins },
  answer: { create: members, read: everyone },
} satisfies Record<string, Record<string, readonly Role[]>>;
