// Pictures that another view brings to the chat; the composer takes them.
import { makeStore } from "../store";
import type { Image } from "./completion";

export const draft = makeStore<{ images: Image[] }>({ images: [] });
