/* Money for people: integers of the minor unit, formatted by the CLDR of the browser. */

/** `54000, "INR"` as `₹540.00` (without `.00` when the amount is whole). */
export function money(minor, currency) {
  try {
    const shape = new Intl.NumberFormat(undefined, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
    const digits = shape.resolvedOptions().maximumFractionDigits;
    const text = shape.format(minor / 10 ** digits);
    return digits > 0 && minor % 10 ** digits === 0 ? text.replace(/[.,]0+(?=\D*$)/, "") : text;
  } catch {
    return `${minor} ${currency ?? ""}`;
  }
}

/** What a person typed ("540", "540.50") in minor units, or null. */
export function minorOf(text, currency) {
  const { maximumFractionDigits } = new Intl.NumberFormat(undefined, { style: "currency", currency }).resolvedOptions();
  const amount = Number(text.trim().replace(",", "."));
  return text.trim() === "" || !Number.isFinite(amount) ? null : Math.round(amount * 10 ** maximumFractionDigits);
}

/** Metres as `850 m` or `3.1 km`. */
export function distance(metres) {
  if (!Number.isFinite(metres)) return "";
  return metres < 1000 ? `${Math.round(metres / 10) * 10} m` : `${(metres / 1000).toFixed(1)} km`;
}
