// The last records of the audit log, on request: to look at it is itself an act that the log may hold.
import { useState } from "preact/hooks";
import { getJson } from "../api";
import { Button, describe, ErrorBox } from "../parts";
import { has } from "../server";
import { clock, number, t } from "../text";

const RECORDS = 50;

interface AuditRecord {
  seq: number;
  time: string;
  event: string;
  id?: string;
  route?: string;
  key?: string;
  model?: string;
  status?: number;
  outcome?: string;
  seconds?: number;
}

export function Audit() {
  const [records, setRecords] = useState<AuditRecord[] | null>(null);
  const [fault, setFault] = useState("");
  if (!has("/audit")) return null;

  async function look() {
    try {
      setRecords((await getJson<{ records: AuditRecord[] }>(`/audit?n=${RECORDS}`)).records.reverse());
      setFault("");
    } catch (error) {
      setFault(describe(error));
    }
  }

  return (
    <section class="card">
      <div class="row spread">
        <h2>{t("audit.title")}</h2>
        <Button icon="again" label={t("audit.show", { n: RECORDS })} onClick={() => void look()}>
          {t("audit.show", { n: RECORDS })}
        </Button>
      </div>
      {fault && <ErrorBox message={fault} />}
      {records && (
        <div class="wide-table" tabIndex={0} role="group" aria-label={t("audit.title")}>
          <table class="plain">
            <thead>
              <tr>
                <th scope="col" class="num">{t("audit.number")}</th>
                <th scope="col">{t("audit.time")}</th>
                <th scope="col">{t("audit.record")}</th>
                <th scope="col">{t("audit.request")}</th>
                <th scope="col">{t("audit.key")}</th>
                <th scope="col">{t("common.model")}</th>
                <th scope="col">{t("audit.outcome")}</th>
              </tr>
            </thead>
            <tbody>
              {records.map((r) => (
                <tr key={r.seq}>
                  <td class="num">{r.seq}</td>
                  <td>{clock(r.time)}</td>
                  <td>{r.event}</td>
                  <td>
                    {r.route && <code>{r.route}</code>} <small class="quiet">{r.id}</small>
                  </td>
                  <td>{r.key}</td>
                  <td>{r.model}</td>
                  <td>
                    {[r.outcome, r.status, r.seconds !== undefined && t("sys.seconds", { n: number(r.seconds) })]
                      .filter(Boolean)
                      .join(" · ")}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
