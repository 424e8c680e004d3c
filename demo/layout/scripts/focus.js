() => {
  // Who uses the keyboard stays where they are. What has the focus may be disabled while the server works: it gets the
  // focus back afterwards. Where it has gone, what is beside it gets it; where the step is another one, see
  // results.FOCUS.
  const CAN = ':is(button, input, [tabindex="0"]):not(:disabled, [tabindex="-1"])';
  const COLUMN = '#board > *';
  let last = null, around = []; // what had the focus, and what it was in, from the inside out

  const seen = (element) => element.isConnected && element.checkVisibility({visibilityProperty: true});

  document.addEventListener('focusin', ({target}) => {
    [last, around] = [target, []];
    for (let one = target.parentElement; one && !one.matches(COLUMN); one = one.parentElement) around.push(one);
  });

  // Where it is still there to be used, it was left. An element that is removed says so before it is.
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
