() => {
  // Keeps the keyboard focus. A focused element that is disabled while the server works gets the focus back afterwards;
  // if it is removed, a neighbour gets the focus. For a new step see results.FOCUS.
  const CAN = ':is(button, input, [tabindex="0"]):not(:disabled, [tabindex="-1"])';
  const COLUMN = '#board > *';
  let last = null, around = []; // the last focused element, and its ancestors from the inside out

  const seen = (element) => element.isConnected && element.checkVisibility({visibilityProperty: true});

  document.addEventListener('focusin', ({target}) => {
    [last, around] = [target, []];
    for (let one = target.parentElement; one && !one.matches(COLUMN); one = one.parentElement) around.push(one);
  });

  // If the element is still usable, the visitor left it. Removed elements send focusout before they are removed.
  document.addEventListener('focusout', ({target}) => queueMicrotask(() => {
    if (target === last && seen(target) && !target.disabled) last = null;
  }));

  const giveBack = () => {
    if (!last || document.activeElement !== document.body) return;
    if (seen(last)) {
      if (!last.disabled) last.focus({preventScroll: true});
      return;
    }
    const beside = around.filter(seen).flatMap((one) => [...one.querySelectorAll(CAN)]).find(seen);
    beside?.focus({preventScroll: true});
  };
  new MutationObserver(giveBack).observe(document.body, {
    childList: true, subtree: true, attributeFilter: ['disabled', 'class', 'style', 'hidden'],
  });
}
