import { Icon } from "../icons";
import { bytes, number, t, tOr, type TextKey } from "../text";

export interface ModelFacts {
  name: string;
  size: number;
  capabilities: string[];
  details: { family: string; parameter_size: string; quantization_level: string; context_length: number };
}

export interface LoadedModel {
  name: string;
  size: number;
  context_length: number;
}

interface Props {
  facts: ModelFacts[];
  loaded: LoadedModel[];
  states: Record<string, string>; // of /health/ready
}

export function ModelTable({ facts, loaded, states }: Props) {
  return (
    <div class="wide-table" tabIndex={0} role="group" aria-label={t("sys.models")}>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">{t("sys.name")}</th>
            <th scope="col">{t("sys.state")}</th>
            <th scope="col">{t("sys.can")}</th>
            <th scope="col">{t("sys.quant")}</th>
            <th scope="col" class="num">{t("sys.size")}</th>
            <th scope="col" class="num">{t("sys.context")}</th>
            <th scope="col" class="num">{t("sys.memory")}</th>
          </tr>
        </thead>
        <tbody>
          {facts.map((model) => {
            const state = states[model.name] ?? "idle";
            const here = loaded.find((l) => l.name === model.name);
            // MODEL:NAME is an adapter that is served beside MODEL.
            const base = facts.find((f) => f !== model && model.name.startsWith(`${f.name}:`));
            return (
              <tr key={model.name}>
                <th scope="row">
                  {model.name}
                  <small class="quiet">
                    {base ? t("sys.adapter_of", { model: base.name }) : model.details.family}
                  </small>
                </th>
                <td>
                  <span class={`chip ${state === "loaded" ? "ok" : state === "failed" ? "flag" : "none"}`}>
                    <Icon name={state === "loaded" ? "check" : state === "failed" ? "flag" : "none"} />
                    {t(`sys.state.${state}` as TextKey)}
                  </span>
                </td>
                <td>{model.capabilities.map((c) => tOr(`sys.can.${c}`, c)).join(", ")}</td>
                <td>{model.details.quantization_level}</td>
                <td class="num">{model.details.parameter_size}</td>
                <td class="num">{number(here?.context_length ?? model.details.context_length)}</td>
                <td class="num">{here ? bytes(here.size) : ""}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
