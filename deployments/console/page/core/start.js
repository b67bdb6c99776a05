// Where the page begins: texts, token, the frame, and then the screen that the address names.

import { startFrame } from "../parts/frame.js";
import { takeTokenFromAddress } from "./session.js";
import { loadTexts } from "./texts.js";

takeTokenFromAddress();
await loadTexts();
startFrame(document.body);
