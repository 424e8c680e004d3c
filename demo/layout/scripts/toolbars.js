() => {
  // The editor's buttons as WAI-ARIA toolbars: Tab stops once at each, arrow keys move between its buttons.
  const BARS = {'#editor .icon-button-wrapper': 'Zoom and undo', '#editor .toolbar-wrap': 'Brush and eraser'};
  const BUTTONS = ':is(button, [role=button]):not(:disabled)';
  const WAYS = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1};

  const buttons = (bar) => [...bar.querySelectorAll(BUTTONS)].filter((one) => one.checkVisibility());

  const stopAt = (bar, button) => {
    for (const one of bar.querySelectorAll('button, [role=button]')) one.tabIndex = one === button ? 0 : -1;
  };

  const improve = () => {
    for (const [bars, name] of Object.entries(BARS)) {
      for (const bar of document.querySelectorAll(bars)) {
        bar.role = 'toolbar';
        bar.ariaLabel = name;
        const stops = bar.querySelectorAll(`${BUTTONS}:not([tabindex="-1"])`);
        if (stops.length !== 1) stopAt(bar, [...stops, ...buttons(bar)][0]);
      }
    }
  };

  document.addEventListener('keydown', (event) => {
    const bar = event.target.closest('#editor [role=toolbar]'), way = WAYS[event.key];
    if (!bar || !way || !event.target.matches(BUTTONS)) return;
    event.preventDefault();
    const all = buttons(bar), next = all.at((all.indexOf(event.target) + way) % all.length);
    stopAt(bar, next);
    next.focus();
  });
  new MutationObserver(improve).observe(document.body, {childList: true, subtree: true, attributeFilter: ['disabled']});
}
