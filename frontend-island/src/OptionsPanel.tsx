import type { Options } from "./machine";
import type { Choices, Model } from "./settings";
import type { Say } from "./words";

interface Props {
  choices: Choices;
  options: Options;
  say: Say;
  onChange: (options: Options) => void;
}

/** What holds for the files added from now on. */
export function OptionsPanel({ choices, options, say, onChange }: Props) {
  const model = choices.models.find((one) => one.name === (options.model || choices.default_model));
  return (
    <details className="upload-options">
      <summary>{say("options")}</summary>
      <p className="hint">{say("options_hint")}</p>
      <label className="field">
        <span>{say("language")}</span>
        <select className="select" value={options.language} onChange={(event) => onChange({ ...options, language: event.target.value })}>
          <option value="">{say("automatic")}</option>
          {choices.languages.map(([code, name]) => (
            <option key={code} value={code}>{name}</option>
          ))}
        </select>
      </label>
      {choices.models.length > 1 && (
        <label className="field">
          <span>{say("model")}</span>
          <select className="select" value={model?.name ?? ""} onChange={(event) => onChange(withModel(options, choices, event.target.value))}>
            {choices.models.map((one) => (
              <option key={one.name} value={one.name}>{named(one, choices, say)}</option>
            ))}
          </select>
        </label>
      )}
      {model?.translates && (
        <label className="tick">
          <input type="checkbox" checked={options.task === "translate"} onChange={(event) => onChange({ ...options, task: event.target.checked ? "translate" : "" })} />
          <span>{say("translate")}</span>
        </label>
      )}
      <MoreOptions {...{ choices, options, say, onChange }} />
    </details>
  );
}

/** What few people need, and who does reads about it. */
function MoreOptions({ choices, options, say, onChange }: Props) {
  const written = (name: "hot_words" | "prompt", limit: number | undefined, rows: number) => (
    <label className="field">
      <span>{say(name)}</span>
      <textarea className="textarea" rows={rows} maxLength={limit} aria-describedby={`island-${name}`} value={options[name]} onChange={(event) => onChange({ ...options, [name]: event.target.value })} />
      <small className="hint" id={`island-${name}`}>{say(`${name}_hint`)}</small>
    </label>
  );
  return (
    <details className="more-options">
      <summary>{say("more_options")}</summary>
      <label className="field">
        <span>{say("recognition")}</span>
        <select className="select" value={options.beam} onChange={(event) => onChange({ ...options, beam: event.target.value })}>
          {choices.beams.map(([beam, name], index) => (
            <option key={beam} value={index ? String(beam) : ""}>{name}</option>
          ))}
        </select>
      </label>
      {written("hot_words", choices.hot_words_limit, 2)}
      {written("prompt", choices.prompt_limit, 3)}
    </details>
  );
}

/** Another model; a translation it cannot make is not asked of it. The default is not named: the operator may change it. */
function withModel(options: Options, choices: Choices, name: string): Options {
  const translates = choices.models.some((one) => one.name === name && one.translates);
  return { ...options, model: name === choices.default_model ? "" : name, task: translates ? options.task : "" };
}

function named(model: Model, choices: Choices, say: Say): string {
  const some = choices.models.some((one) => one.translates);
  if (model.english_only) return `${model.name} (${say("english_only")})`;
  return some && !model.translates ? `${model.name} (${say("no_translation")})` : model.name;
}
