// A value that components can watch.
import { useEffect, useState } from "preact/hooks";

export interface Store<T> {
  get(): T;
  set(change: Partial<T>): void;
  use(): T;
}

export function makeStore<T extends object>(initial: T): Store<T> {
  let value = initial;
  const watchers = new Set<(value: T) => void>();
  return {
    get: () => value,
    set(change) {
      value = { ...value, ...change };
      for (const watcher of [...watchers]) watcher(value);
    },
    use() {
      const [seen, setSeen] = useState(value);
      useEffect(() => {
        watchers.add(setSeen);
        setSeen(value);
        return () => void watchers.delete(setSeen);
      }, []);
      return seen;
    },
  };
}
