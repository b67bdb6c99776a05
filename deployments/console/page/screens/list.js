// The screens, in the order of the navigation. What the service cannot do yet has no line here; its screen gets one:
// review of doubtful faces, calibration, upgrade of the model, access keys.

/**
 * `of`: what the screen is about, null or "collection". `under`: the screen whose entry is marked in the navigation.
 * `scopes`: what the token needs for it. Each module's `show(root, about)` fills `root`; `about` is in `parts/frame.js`.
 */
export const SCREENS = [
  { id: "try", icon: "scan", of: "collection", scopes: ["faces:read"], load: () => import("./try.js") },
  { id: "compare", under: "try", of: "collection", scopes: ["faces:read"], load: () => import("./compare.js") },
  { id: "people", icon: "people", of: "collection", scopes: ["faces:read"], load: () => import("./people.js") },
  { id: "person", under: "people", of: "collection", scopes: ["faces:read"], load: () => import("./person.js") },
  { id: "group", icon: "group", of: "collection", scopes: ["faces:read", "faces:write"], load: () => import("./group.js") },
  { id: "import", icon: "folder", of: "collection", scopes: ["faces:read", "faces:write"], load: () => import("./import.js") },
  { id: "collections", icon: "stack", of: null, scopes: ["faces:read"], load: () => import("./collections.js") },
  { id: "system", icon: "pulse", of: null, scopes: ["system:read"], load: () => import("./system.js") },
];
